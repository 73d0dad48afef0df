"""`make chaos`: how many jobs a second the engine runs before and after its database or its workers failed, beside bare procrastinate."""
