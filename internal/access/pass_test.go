package access_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/access"
)

const session = "7a67e5e4-0000-4000-8000-000000000001"

// link is a pass of the root key's that has not expired.
func link(keys *access.Keys) access.Pass {
	return access.Pass{
		Purpose: access.PurposeLink, SessionID: session, AccessKeyID: keys.Root().AccessKeyID,
		Expires: time.Now().Add(time.Hour).Truncate(time.Second),
	}
}

func seal(t testing.TB, keys *access.Keys, p access.Pass) string {
	t.Helper()
	sealed, err := keys.Seal(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestPass(t *testing.T) {
	dir := t.TempDir()
	keys := open(t, dir)
	want := link(keys)
	sealed := seal(t, keys, want)

	t.Run("comes back as it was, also after a restart", func(t *testing.T) {
		got, err := open(t, dir).Unseal(t.Context(), sealed, access.PurposeLink, session)
		if got != want || err != nil {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	})
	t.Run("can stand in an address and a cookie", func(t *testing.T) {
		if !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(sealed) || len(sealed) > 2048 { // Athena's AuthToken
			t.Error(sealed)
		}
	})
	t.Run("does not show the secret", func(t *testing.T) {
		if strings.Contains(sealed, keys.Root().SecretAccessKey) {
			t.Error(sealed)
		}
	})
	t.Run("is not made for nobody", func(t *testing.T) {
		p := want
		p.AccessKeyID = "NOBODY"
		if _, err := keys.Seal(t.Context(), p); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("error %v", err)
		}
	})

	denied := func(t *testing.T, keys *access.Keys, sealed string, purpose access.Purpose, session, says string) {
		t.Helper()
		p, err := keys.Unseal(t.Context(), sealed, purpose, session)
		if p != (access.Pass{}) || hearth.KindOf(err) != hearth.KindDenied || !strings.Contains(hearth.MessageOf(err), says) {
			t.Errorf("%+v, %v", p, err)
		}
	}
	const invalid = "does not open this session"
	t.Run("does not open another session", func(t *testing.T) {
		denied(t, keys, sealed, access.PurposeLink, "7a67e5e4-0000-4000-8000-000000000002", invalid)
	})
	t.Run("has one purpose", func(t *testing.T) {
		denied(t, keys, sealed, access.PurposePage, session, invalid)
	})
	t.Run("expires", func(t *testing.T) {
		old := want
		old.Expires = time.Now().Add(-time.Second)
		denied(t, keys, seal(t, keys, old), access.PurposeLink, session, "has expired")
	})
	t.Run("is another server's", func(t *testing.T) {
		denied(t, open(t, t.TempDir()), sealed, access.PurposeLink, session, invalid)
	})
	t.Run("cannot be changed anywhere", func(t *testing.T) {
		for i := range sealed {
			changed := []byte(sealed)
			if changed[i]++; changed[i] == '.' {
				changed[i]++
			}
			denied(t, keys, string(changed), access.PurposeLink, session, invalid)
		}
	})
	for name, text := range map[string]string{
		"empty": "", "its text only": strings.Split(sealed, ".")[0], "its seal only": sealed[strings.Index(sealed, "."):],
		"cut": sealed[:len(sealed)-1], "longer": sealed + "A", "with a line break": sealed + "\n", "padded": sealed + "=",
	} {
		t.Run("is refused when it is "+name, func(t *testing.T) {
			denied(t, keys, text, access.PurposeLink, session, invalid)
		})
	}
}

// Whatever is read, only what was sealed is taken.
func FuzzKeys_Unseal(f *testing.F) {
	keys, err := access.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	sealed := seal(f, keys, link(keys))
	text, mac, _ := strings.Cut(sealed, ".")
	for _, seed := range []string{"", ".", sealed, text, text + ".", "." + mac, mac + "." + text, strings.ToUpper(sealed), sealed + "\r\n", "bGluawpzCms.AA", "bGluawpzCmsKOTk5OTk5OTk5OTk5.AA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := keys.Unseal(t.Context(), text, access.PurposeLink, session)
		if text != sealed && (hearth.KindOf(err) != hearth.KindDenied || p != (access.Pass{})) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	})
}
