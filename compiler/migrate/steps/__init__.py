"""One module for each kind of step. A kind knows its SQL, lock, effort and the table after it."""
