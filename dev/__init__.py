"""The embedded environment: a real Postgres, an AWS emulator and the processes that `sluice dev` runs on this machine."""
