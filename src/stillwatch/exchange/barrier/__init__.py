"""The information barrier: what may leave, in which form, under which conditions. Whatever is not allowed stays."""
