"""`make demo`: the whole story on this machine, each number in it verified.

* `data.py`: the records of the three datasets, the same at every run
* `world.py`: what the story asks the real parts: rows, commits, queues, events
* `story.py`: how it is told: chapters, commands, facts that hold or do not
* `__main__.py`: the nine chapters
"""
