"""The zoo: about a hundred networks through ``mobilekit.convert``, the peers beside: ``python -m benchmarks.zoo -h``.

In the order of use: networks.py (which, and how each is built; our own in pictures.py, vision.py, sequences.py),
worker.py (one process an environment, one forked child a job), jobs.py (what a child does), records.py (what became of
each network, kept as it goes), figures.py (records against the bars), __main__.py (the order of the jobs).
"""
