package shim

import (
	"slices"
	"testing"
	"time"

	"hearth/internal/kernel"
)

func TestEndpoint(t *testing.T) {
	begin := func() (c *core, questions *[]string, ask func(op string) <-chan reply, say func(kernel.Message) []effect) {
		questions = new([]string)
		c = newCore(testLaunch, time.Unix(1e9, 0))
		perform := func(effects []effect) []effect {
			for _, e := range effects {
				switch e := e.(type) {
				case answer:
					e.to <- e.reply
				case tell:
					*questions = append(*questions, e.command.Type)
				}
			}
			return effects
		}
		ask = func(op string) <-chan reply {
			to := make(chan reply, 1)
			perform(c.next(time.Unix(1e9, 0), asked{op: op, answer: to}))
			return to
		}
		say = func(m kernel.Message) []effect { return perform(c.next(time.Unix(1e9, 0), told{m})) }
		return c, questions, ask, say
	}
	got := func(t *testing.T, from <-chan reply) reply {
		t.Helper()
		select {
		case r := <-from:
			return r
		default:
			t.Fatal("it is not answered")
			panic("unreachable")
		}
	}
	where := reply{address: "127.0.0.1:1", secret: "s"}

	t.Run("all who ask are answered, and the kernel is asked until it knows", func(t *testing.T) {
		_, _, ask, say := begin()
		if r := got(t, ask(OpConnect)); r.refusal != "it is still starting" {
			t.Errorf("before it is ready: %+v", r)
		}
		say(kernel.Message{Type: kernel.TypeReady})
		asked := ask(OpConnect)
		say(kernel.Message{Type: kernel.TypeConnect, Reason: "no memory"})
		if r := got(t, asked); r.refusal != "no memory" {
			t.Errorf("%+v", r)
		}
		asked = ask(OpConnect)
		say(kernel.Message{Type: kernel.TypeConnect, Address: where.address, Secret: where.secret})
		if a, b := got(t, asked), got(t, ask(OpConnect)); a != where || b != where {
			t.Errorf("%+v, %+v", a, b)
		}
		if effects := say(kernel.Message{Type: kernel.TypeConnect}); effects != nil {
			t.Errorf("an answer that comes again has %v", effects)
		}
	})
	t.Run("a kernel that is slow to listen is asked once", func(t *testing.T) {
		_, questions, ask, say := begin()
		say(kernel.Message{Type: kernel.TypeReady})
		var waiting []<-chan reply
		for range 100 {
			waiting = append(waiting, ask(OpUI))
		}
		connect := ask(OpConnect)
		if want := []string{kernel.TypeUI, kernel.TypeConnect}; !slices.Equal(*questions, want) {
			t.Errorf("it is asked for %v, and not %v", *questions, want)
		}
		say(kernel.Message{Type: kernel.TypeUI, Address: where.address, Secret: where.secret})
		for _, asked := range waiting {
			if r := got(t, asked); r != where {
				t.Errorf("%+v", r)
			}
		}
		if len(connect) > 0 {
			t.Errorf("Spark's pages are taken for Spark Connect: %+v", <-connect)
		}
	})
	t.Run("Spark's pages are asked for each time", func(t *testing.T) {
		_, _, ask, say := begin()
		say(kernel.Message{Type: kernel.TypeReady})
		for _, address := range []string{"127.0.0.1:1", "127.0.0.1:2"} {
			asked := ask(OpUI)
			say(kernel.Message{Type: kernel.TypeUI, Address: address})
			if r := got(t, asked); r.address != address {
				t.Errorf("%+v, want %s", r, address)
			}
		}
	})
	t.Run("a driver that ends answers those who wait", func(t *testing.T) {
		c, _, ask, say := begin()
		say(kernel.Message{Type: kernel.TypeReady})
		waiting := ask(OpConnect)
		for _, e := range append(c.next(time.Unix(1e9, 0), died{death{process: JVMProcess}}), c.next(time.Unix(1e9, 0), died{death{process: KernelProcess}})...) {
			if e, ok := e.(answer); ok {
				e.to <- e.reply
			}
		}
		if r := got(t, waiting); r.refusal != "the driver has ended" {
			t.Errorf("%+v", r)
		}
	})
}
