package connect

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkCall is a call that says little and is answered little.
func BenchmarkCall(b *testing.B) {
	w := newWorld(b, sockets{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answerOK(w)
	})
	b.ReportAllocs()
	for b.Loop() {
		benchCall(b, w)
	}
}

// BenchmarkStream is an answer of 64 MiB, in pieces as Spark Connect sends Arrow,
// for a client that takes as much at once as gRPC's come to take.
func BenchmarkStream(b *testing.B) {
	const size, piece, window = 64 << 20, 3 << 20, 4 << 20
	w := newWorld(b, sockets{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Trailer", statusKey)
		message := make([]byte, piece)
		for left := size; left > 0; left -= piece {
			_, _ = w.Write(message[:min(left, piece)])
		}
		w.Header().Set(statusKey, "0")
	})
	w.client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: window, MaxReadFrameSize: window}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		benchCall(b, w)
	}
}

func answerOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Trailer", statusKey)
	_, _ = w.Write(make([]byte, 64))
	w.Header().Set(statusKey, "0")
}

func benchCall(b *testing.B, w *world) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://"+w.address+service+"ExecutePlan", strings.NewReader("a plan"))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set(tokenKey, token)
	answer, err := w.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
	if got := answer.Trailer.Get(statusKey); got != "0" {
		b.Fatalf("status %q", got)
	}
}
