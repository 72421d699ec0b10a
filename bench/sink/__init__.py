"""The sink's speed against peers: same machine, same run, same queue server, same table, same messages."""
