from partbench import open_task
from partbench.testing import check_performer


def test_it_keeps_the_contract_and_tells_flowers_apart() -> None:
    task = open_task("flowers/multi:daisy")  # of partbench-flowers, which must be installed
    check_performer(task.performer, task.dataset)
    batch = task.batch("test", range(60))
    right = batch.images.activations("logits").argmax(1) == batch.labels
    assert float(right.float().mean()) > 0.9


def test_in_a_single_task_it_has_one_logit() -> None:
    task = open_task("flowers/daisy")
    batch = task.batch("test", range(20))
    right = (batch.images.activations("logits")[:, 0] > 0) == task.positive(batch.labels)
    assert float(right.float().mean()) > 0.9
