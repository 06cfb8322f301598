"""What the page's script sends: checked here, before anything believes it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Asked(BaseModel):
    """Base of it: no unknown fields, no other types."""

    model_config = ConfigDict(extra="forbid", strict=True)
