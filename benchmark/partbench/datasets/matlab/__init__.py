"""MATLAB files, read by a process of their own, since a damaged one can crash the libraries that read them."""
