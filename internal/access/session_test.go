package access_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/access"
)

func TestSessionKey(t *testing.T) {
	dir := t.TempDir()
	keys := open(t, dir)
	key := keys.SessionKey(session)
	record := map[string]hearth.Session{
		session: {ID: session, WorkGroup: "etl", State: hearth.SessionIdle},
		"ended": {ID: "ended", WorkGroup: "etl", State: hearth.SessionTerminated},
	}
	all := access.SessionKeys{Keys: keys, Session: func(_ context.Context, id string) (hearth.Session, error) {
		if id == "lost" {
			return hearth.Session{}, errors.New("disk on fire")
		}
		s, found := record[id]
		if !found {
			return s, hearth.Errorf(hearth.KindNotFound, "No session %s.", id)
		}
		return s, nil
	}}

	t.Run("has AWS's form", func(t *testing.T) {
		for what, c := range map[string]struct{ text, form string }{
			"access key id": {key.AccessKeyID, `^ASIA[A-Z2-7]{16}$`},
			"secret":        {key.SecretAccessKey, `^[A-Z2-7]{40}$`},
			"token":         {key.SessionToken, `^[A-Za-z0-9_.-]{60,200}$`},
		} {
			if !regexp.MustCompile(c.form).MatchString(c.text) {
				t.Errorf("%s %q", what, c.text)
			}
		}
		for _, part := range []string{keys.Root().AccessKeyID, keys.Root().SecretAccessKey} {
			if strings.Contains(key.AccessKeyID+key.SecretAccessKey+key.SessionToken, part) {
				t.Error("the root key shows")
			}
		}
	})
	t.Run("is the same after a restart, and another of each session and server", func(t *testing.T) {
		if again := open(t, dir).SessionKey(session); again != key {
			t.Errorf("%+v", again)
		}
		for _, other := range []access.SessionKey{keys.SessionKey("other"), open(t, t.TempDir()).SessionKey(session)} {
			if other.AccessKeyID == key.AccessKeyID || other.SecretAccessKey == key.SecretAccessKey || other.SessionToken == key.SessionToken {
				t.Errorf("%+v", other)
			}
		}
	})
	t.Run("gives its secret for its token", func(t *testing.T) {
		if secret, err := all.Secret(t.Context(), key.AccessKeyID, key.SessionToken); err != nil || secret != key.SecretAccessKey {
			t.Errorf("another secret, %v", err)
		}
	})
	other := keys.SessionKey("other")
	for what, token := range map[string]string{
		"no token":                "",
		"another session's token": other.SessionToken,
		"half a token":            key.SessionToken[:len(key.SessionToken)/2],
		"a longer token":          key.SessionToken + "A",
		"no text":                 "%%%.x",
	} {
		t.Run("is refused with "+what, func(t *testing.T) {
			if _, err := all.Secret(t.Context(), key.AccessKeyID, token); hearth.KindOf(err) != hearth.KindDenied {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("is nobody's without sessions", func(t *testing.T) {
		if _, err := keys.Secret(t.Context(), key.AccessKeyID); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("error %v", err)
		}
	})
	t.Run("stands for its session", func(t *testing.T) {
		got, err := all.Principal(t.Context(), key.AccessKeyID, key.SessionToken, "123456789012")
		want := access.Principal{AccessKeyID: key.AccessKeyID, ARN: "arn:aws:sts::123456789012:assumed-role/hearth/" + session, SessionID: session, WorkGroup: "etl"}
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	})
	for id, want := range map[string]hearth.Kind{"ended": hearth.KindDenied, "forgotten": hearth.KindDenied, "lost": hearth.KindInternal} {
		t.Run("of a session that is "+id, func(t *testing.T) {
			key := keys.SessionKey(id)
			_, err := all.Principal(t.Context(), key.AccessKeyID, key.SessionToken, "123456789012")
			if hearth.KindOf(err) != want {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("stands beside the root key", func(t *testing.T) {
		root := keys.Root()
		secret, err := all.Secret(t.Context(), root.AccessKeyID, "")
		if err != nil || secret != root.SecretAccessKey {
			t.Errorf("another secret, %v", err)
		}
		if p, err := all.Principal(t.Context(), root.AccessKeyID, "", "123456789012"); err != nil || p != keys.Principal(root.AccessKeyID, "123456789012") {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func FuzzSessionToken(f *testing.F) {
	keys, err := access.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	key := keys.SessionKey(session)
	all := access.SessionKeys{Keys: keys}
	f.Add(key.SessionToken)
	f.Add(key.SessionToken + ".")
	f.Add(".")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := all.Secret(t.Context(), key.AccessKeyID, token); (err == nil) != (token == key.SessionToken) {
			t.Errorf("token %q: %v", token, err)
		}
	})
}

func TestBuckets(t *testing.T) {
	rules := access.Buckets{
		"finance":  {"finance", "audit"},
		"team-*":   {"audit"},
		"team-a":   {"a"},
		"closed":   {},
		"x-*":      {"a", "b"},
		"*-x":      {"b"},
		"raw-202*": {"b"},
	}
	for _, c := range []struct {
		workGroup string
		reaches   []string
		not       []string
	}{
		{"a", []string{"free", "team-a", "x-1"}, []string{"finance", "team-b", "closed", "x-x", "raw-2024"}},
		{"b", []string{"free", "x-1", "x-x", "raw-2024", "raw-20245"}, []string{"finance", "team-a", "closed"}},
		{"audit", []string{"free", "finance", "team-b"}, []string{"team-a", "closed", "x-1"}},
	} {
		ctx := access.WithPrincipal(t.Context(), access.Principal{AccessKeyID: "ASIA", SessionID: "s", WorkGroup: c.workGroup})
		for _, bucket := range c.reaches {
			t.Run(c.workGroup+" reaches "+bucket, func(t *testing.T) {
				if err := rules.Check(ctx, bucket); err != nil {
					t.Error(err)
				}
			})
		}
		for _, bucket := range c.not {
			t.Run(c.workGroup+" does not reach "+bucket, func(t *testing.T) {
				err := rules.Check(ctx, bucket)
				if hearth.KindOf(err) != hearth.KindDenied || !strings.Contains(err.Error(), bucket) || !strings.Contains(err.Error(), c.workGroup) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
	t.Run("the server's key reaches all", func(t *testing.T) {
		ctx := access.WithPrincipal(t.Context(), access.Principal{AccessKeyID: "HEARTH"})
		if err := rules.Check(ctx, "closed"); err != nil {
			t.Error(err)
		}
	})
	t.Run("nobody reaches what is for some", func(t *testing.T) {
		if err := rules.Check(t.Context(), "finance"); hearth.KindOf(err) != hearth.KindDenied {
			t.Errorf("error %v", err)
		}
	})
}
