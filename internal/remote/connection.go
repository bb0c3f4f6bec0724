package remote

import (
	"context"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	dialPatience  = 5 * time.Second
	stallPatience = 30 * time.Second
)

// httpClient is the SDK's, with connections that notice when the other end is
// gone. The SDK's own time limit would end a slow upload, which reads nothing
// while it writes.
func httpClient() *awshttp.BuildableClient {
	dialer := net.Dialer{Timeout: dialPatience}
	return awshttp.NewBuildableClient().WithReadTimeout(0).WithTransportOptions(func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &connection{c}, nil
		}
	})
}

// connection breaks when nothing has come or gone for a while.
type connection struct{ net.Conn }

func (c *connection) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(stallPatience)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *connection) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(stallPatience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
