package sessions

import "context"

// Sweep is what each hour brings.
func (s *Service) Sweep(ctx context.Context) error { return s.sweep(ctx) }
