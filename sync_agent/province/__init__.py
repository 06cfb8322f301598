"""The province's end of the road: takes entries, tells what was taken, and finds the doubles."""
