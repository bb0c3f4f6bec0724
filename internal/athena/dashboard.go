package athena

import "context"

// getResourceDashboard gives a link in any state of the session: what it shows is
// Spark's while the session lives, and its history afterwards.
func (a *api) getResourceDashboard(ctx context.Context, in *GetResourceDashboardRequest) (*GetResourceDashboardResponse, error) {
	session, err := a.sessions.SessionOf(ctx, value(in.ResourceARN))
	if err != nil {
		return nil, err
	}
	link, err := a.sparkLink(ctx, session.ID)
	if err != nil {
		return nil, err
	}
	return &GetResourceDashboardResponse{URL: &link.URL}, nil
}
