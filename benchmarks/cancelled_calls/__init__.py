"""What a call of grpc.aio leaves behind in its two processes, by kind and by how it ends. On purpose, not in CI:

    .venv/bin/python -m benchmarks.cancelled_calls > benchmarks/cancelled_calls.md

Each kind has a client and a server of its own. 3,000 calls are made first; then it is counted what 20,000 more add to their resident
memory.
A call is given up once the server has taken it up, as the answer to another one made after it shows: callers who give up sooner don't
wait for the server, calls pile up in the queue of its core, and beyond a thousand core ends some that nobody gave up, as CANCELLED.
"""
