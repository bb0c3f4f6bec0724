package objects_test

import (
	"strings"
	"testing"

	"hearth"
	"hearth/internal/objects"
)

// Ensure that a copy is what it would be had it been written.
func TestStore_Copy(t *testing.T) {
	t.Parallel()

	content := strings.Repeat("0123456789", 100_000)
	for name, from := range map[string]objects.Draft{
		"plain":           {},
		"with a checksum": {Checksum: "CRC32"},
		"encrypted":       {Encryption: sseS3},
	} {
		for as, to := range map[string]objects.Draft{
			"plain":                 {},
			"with a checksum":       {Checksum: "CRC32"},
			"with another checksum": {Checksum: "SHA256"},
			"encrypted":             {Encryption: sseS3, Checksum: "CRC32"},
		} {
			t.Run(name+" as "+as, func(t *testing.T) {
				s, dir := open(t)
				if _, err := s.Write(t.Context(), "hearth", "from", from, strings.NewReader(content)); err != nil {
					t.Fatal(err)
				}
				want, err := s.Write(t.Context(), "hearth", "written", to, strings.NewReader(content))
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{"copy", "from"} {
					o, err := s.Read(t.Context(), "hearth", "from")
					if err != nil {
						t.Fatal(err)
					}
					got, err := s.Copy(t.Context(), o, "hearth", key, to)
					o.Close()
					if err != nil || got.ETag != want.ETag || got.Size != want.Size || got.Encryption != want.Encryption {
						t.Fatalf("%+v, %v; want %+v", got, err, want)
					}
					if after := stat(t, s, key); to.Checksum != "" && *after.Checksum != *want.Checksum || after.ETag != etag(content) {
						t.Errorf("%+v, want %+v", after, want)
					}
					if get(t, s, key) != content {
						t.Error("another content")
					}
				}
				wantNoTemporaries(t, dir)
			})
		}
	}
	t.Run("of an object in parts has the ETag of one in a piece", func(t *testing.T) {
		s, _ := open(t)
		u := beginUpload(t, s, "from", objects.Draft{})
		if _, err := complete(t, s, u, putPart(t, s, u, 1, content)); err != nil {
			t.Fatal(err)
		}
		o, err := s.Read(t.Context(), "hearth", "from")
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		if got, err := s.Copy(t.Context(), o, "hearth", "copy", objects.Draft{}); err != nil || got.ETag != etag(content) || len(got.Parts) > 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("refuses a bucket that does not exist", func(t *testing.T) {
		s, _ := open(t)
		put(t, s, "from", "", content)
		o, err := s.Read(t.Context(), "hearth", "from")
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		_, err = s.Copy(t.Context(), o, "elsewhere", "copy", objects.Draft{})
		wantKind(t, err, hearth.KindNotFound)
	})
}
