package config

import (
	"maps"
	"math"
	"slices"
)

// Throttle is the table [throttle]. Each access key has its own count of each
// operation; requests whose signature is not good count for nobody. A call over
// the rate is refused with "Rate exceeded", which AWS's clients take for a
// reason to wait and try again.
type Throttle struct {
	// Rate and Burst are those of each operation that has no table of its own.
	Limit

	// Error is the type of the refusal: ThrottlingException, which all clients
	// know, or TooManyRequestsException, which boto3 does not retry unless told
	// to. Default: ThrottlingException.
	Error string `toml:"error"`

	// Operations are the tables [throttle.operations.NAME], one for each
	// operation with a rate of its own, such as StartSession. A rate of 0 there
	// takes the operation out of the throttle.
	Operations map[string]Limit `toml:"operations"`
}

// Limit is how often something may be called.
type Limit struct {
	// Rate is how many calls a second are answered in the long run; fractions
	// are fine. 0 is no limit. Default: 0.
	Rate float64 `toml:"rate"`

	// Burst is how many calls are answered at once after a rest. 0 is one
	// second's worth, and at least one. Default: 0.
	Burst int `toml:"burst"`
}

// The values of Throttle.Error.
const (
	ThrottlingException      = "ThrottlingException"
	TooManyRequestsException = "TooManyRequestsException"
)

func (t Throttle) check() error {
	if t.Error != ThrottlingException && t.Error != TooManyRequestsException {
		return refuse("throttle.error", t.Error, "write "+ThrottlingException+" or "+TooManyRequestsException)
	}
	if err := t.Limit.check("throttle"); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.Operations)) {
		if err := t.Operations[name].check("throttle.operations." + name); err != nil {
			return err
		}
	}
	return nil
}

func (l Limit) check(table string) error {
	switch {
	case !(l.Rate >= 0) || math.IsInf(l.Rate, 0): // TOML has nan and inf
		return refuse(table+".rate", l.Rate, "write the calls that are answered in a second, like 20 or 0.5, or 0 for no limit")
	case l.Burst < 0:
		return refuse(table+".burst", l.Burst, "write how many calls are answered at once, or 0 for one second's worth")
	}
	return nil
}
