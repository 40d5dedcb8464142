"""The documents, and in `generator` what writes some of them."""
