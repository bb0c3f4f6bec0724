package access

import "context"

// Principal is who made a request.
type Principal struct {
	AccessKeyID string
	ARN         string // as AWS writes it: arn:aws:iam::<account>:root

	// Of a session that signs with its own key; "" of everybody else.
	SessionID string
	WorkGroup string
}

type principalKey struct{}

// WithPrincipal gives a context in which p acts.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom tells who acts in ctx, and false when nobody was authenticated.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
