"""The local resource handlers: one small class for each Pulumi resource type that the program may declare."""
