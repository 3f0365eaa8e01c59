"""Published results that come with the package: cells of the reference explainers, with their evidence per image."""
