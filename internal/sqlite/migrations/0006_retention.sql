-- Records of sessions that ended long enough ago are removed.

CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Without it, each calculation that is removed is looked for in all events.
CREATE INDEX events_of_calculation ON events (calculation_id) WHERE calculation_id IS NOT NULL;
