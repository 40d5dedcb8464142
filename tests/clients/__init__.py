"""Small worked examples of other people's clients, unmodified; tests/wire/pass_through/test_other_clients.py runs them.

Each takes base URLs and models, and prints what the client understood: a line of JSON for each pair of them.
"""
