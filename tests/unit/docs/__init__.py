"""docs/generator: the references say what there is, and describe all of it."""
