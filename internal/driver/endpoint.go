package driver

import (
	"context"

	"hearth"
	"hearth/internal/shim"
)

// Connect gives where the driver speaks Spark Connect.
func (d *driver) Connect(ctx context.Context) (hearth.Endpoint, error) {
	return d.endpoint(ctx, shim.OpConnect, "Spark Connect")
}

// UI gives where the driver shows Spark's pages.
func (d *driver) UI(ctx context.Context) (hearth.Endpoint, error) {
	return d.endpoint(ctx, shim.OpUI, "the Spark UI")
}

func (d *driver) endpoint(ctx context.Context, op, what string) (hearth.Endpoint, error) {
	reply, err := d.request(ctx, shim.Message{Op: op})
	if reply.Error == shim.Unknown(op) {
		reply.Error = "it was started by an older Hearth, which knew none. Start another session"
	}
	if err == nil && reply.Error != "" {
		err = hearth.Errorf(hearth.KindUnavailable, "The driver of session %s does not give %s: %s.", d.sessionID, what, reply.Error)
	}
	return hearth.Endpoint{Address: reply.Address, Secret: reply.Secret}, err
}
