"""Buffer -> table -> deletes: the threads, and the places where they meet."""
