"""One file for each schema revision, named after it; each knows the way forward and the way back."""
