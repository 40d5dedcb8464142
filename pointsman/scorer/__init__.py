"""The internal pointsman.scorer contract."""
