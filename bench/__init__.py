"""What must be quick, measured: `make bench`.

Floor and product alternate in one run, five rounds; each line gives the median ratio with its spread, because machines
are noisy and only ratios travel. Nothing here runs inside the tests.
"""
