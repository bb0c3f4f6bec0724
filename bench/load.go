package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// slicesOfPolling is how many rates a time of polling gives.
const slicesOfPolling = 5

// poll sends the same request over a number of kept connections for a time, and
// gives the requests per second of each fifth of it. The request is signed once
// (a signature holds for minutes), so that what is measured is the server.
func poll(ctx context.Context, o options, request *http.Request, body []byte) ([]float64, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: o.clients, DisableCompression: true}
	defer transport.CloseIdleConnections()
	send := func(ctx context.Context) error {
		r := request.Clone(ctx)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s answers %s: %s", request.URL, answer.Status, text)
		}
		return err
	}
	for range 200 { // connections and caches
		if err := send(ctx); err != nil {
			return nil, err
		}
	}
	var rates []float64
	for range slicesOfPolling {
		rate, err := rateOf(ctx, o.clients, o.seconds/slicesOfPolling, send)
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

func rateOf(ctx context.Context, clients int, period time.Duration, send func(context.Context) error) (float64, error) {
	begin := time.Now()
	counts, failures := make([]int, clients), make([]error, clients)
	var polling sync.WaitGroup
	for i := range clients {
		polling.Go(func() {
			for time.Since(begin) < period && failures[i] == nil {
				failures[i] = send(ctx)
				counts[i]++
			}
		})
	}
	polling.Wait()
	total := 0
	for i, count := range counts {
		if failures[i] != nil {
			return 0, failures[i]
		}
		total += count
	}
	return float64(total) / time.Since(begin).Seconds(), nil
}
