"""The job that does nothing, as procrastinate knows it: tasks are named by their module, so it is not the program's own."""

from __future__ import annotations

import procrastinate

AT_ONCE = 24
app = procrastinate.App(connector=procrastinate.PsycopgConnector(max_size=AT_ONCE))


@app.task(name="step")
async def step(run: int) -> None:
    """A step that decides and writes nothing."""
