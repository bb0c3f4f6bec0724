package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// lightDriver has sessions without Spark, for what is measured around them: such
// a driver does nothing meanwhile.
const lightDriver = "light_drivers = true"

// poll measures requests a second. Every answer of Hearth is to a request whose
// signature was verified.
func poll(ctx context.Context, b *bench) (err error) {
	s, session, err := b.serveSession(ctx, lightDriver)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	bare, bareURL, err := b.startBare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.end()) }()
	moto, motoURL, err := b.startMoto(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, moto.end()) }()

	for _, clients := range []int{1, 8, 32} {
		what := func(text string) string { return fmt.Sprintf("%s, %d at once", text, clients) }
		floor := b.row("bare net/http", what("a JSON handler"), "requests/s")
		mock := b.row("moto", what("GetWorkGroup"), "requests/s")
		ours := b.ours(what("GetSessionStatus, SigV4 verified"), "requests/s")
		// A signature holds for minutes, so that a request is signed once: what is
		// measured is the server.
		request, body, err := s.request(ctx, "GetSessionStatus", "", map[string]any{"SessionId": session})
		if err != nil {
			return err
		}
		pollings := []polling{{ours, s.address, request, body}, {floor, bareURL, request, body}}
		if moto != nil {
			request, body, err := motoRequest(ctx)
			if err != nil {
				return err
			}
			pollings = append(pollings, polling{mock, motoURL, request, body})
		}
		if err := b.pollInTurns(ctx, clients, pollings); err != nil {
			return err
		}
		ours.over(floor, mock)
		met := ours.Median >= 0.85*floor.Median && (moto == nil || ours.Median >= 50*mock.Median)
		ours.goal(met, "≥ 0.85 × bare net/http, ≥ 50 × moto")
	}
	return nil
}

// polling is a request that is sent again and again.
type polling struct {
	row     *Row
	address string
	request *http.Request
	body    []byte
}

const (
	turnsOfPolling = 25 // rates that each polling gives
	turnOfPolling  = 10 // of which each is measured for this part of the time for a rate
)

// pollInTurns measures the rates of pollings. Who is first changes.
func (b *bench) pollInTurns(ctx context.Context, clients int, pollings []polling) error {
	transport := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	defer transport.CloseIdleConnections()
	for turn := range turnsOfPolling + 1 {
		for i := range pollings {
			p := pollings[(turn+i)%len(pollings)]
			send, err := p.sender(transport)
			if err != nil {
				return err
			}
			rate, err := rateOf(ctx, clients, b.Period/turnOfPolling, send)
			if err != nil {
				return err
			}
			if turn > 0 { // the first warms up
				p.row.add(rate)
			}
		}
	}
	return nil
}

// sender sends the request and wants an answer of success.
func (p polling) sender(transport *http.Transport) (func(context.Context) error, error) {
	to, err := url.Parse(p.address + "/")
	return func(ctx context.Context) error {
		r := p.request.Clone(ctx)
		r.URL, r.Host, r.Body = to, p.request.Host, io.NopCloser(bytes.NewReader(p.body))
		answer, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s answers %s: %s", p.address, answer.Status, text)
		}
		return err
	}, err
}

// rateOf has a number of clients send for a time, at least once each, and gives how
// often a second they were answered.
func rateOf(ctx context.Context, clients int, period time.Duration, send func(context.Context) error) (float64, error) {
	began := time.Now()
	counts, failures := make([]int, clients), make([]error, clients)
	var sending sync.WaitGroup
	for i := range clients {
		sending.Go(func() {
			for asked := false; failures[i] == nil && (!asked || time.Since(began) < period); asked = true {
				failures[i] = send(ctx)
				counts[i]++
			}
		})
	}
	sending.Wait()
	total := 0
	for _, count := range counts {
		total += count
	}
	return float64(total) / time.Since(began).Seconds(), errors.Join(failures...)
}
