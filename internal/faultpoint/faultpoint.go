// Package faultpoint names the moments between what is intended, done and
// recorded. In a program nothing happens at them: a test has its own processes
// killed there, and looks at what is true afterwards.
package faultpoint

// Reached is called at each moment. Only tests set it, before anything runs; no
// flag, file or variable of a program leads here.
var Reached func(thing, moment string)

// At says that a thing has come to a moment.
func At(thing, moment string) {
	if Reached != nil {
		Reached(thing, moment)
	}
}
