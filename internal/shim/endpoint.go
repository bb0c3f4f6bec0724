package shim

import (
	"maps"
	"slices"

	"hearth/internal/kernel"
)

const driverEnded = "the driver has ended"

// onAskedEndpoint has the kernel asked, which asks Java. Spark Connect stays where
// it is; Spark's pages go elsewhere with another SparkContext. Who asks what the
// kernel is being asked gets that answer: a kernel that is slow to listen is not
// given more than it can take.
func (c *core) onAskedEndpoint(a asked) []effect {
	switch {
	case c.phase < serving:
		return []effect{refuse(a.answer, "it is still starting")}
	case c.phase != serving:
		return []effect{refuse(a.answer, "it is ending")}
	case c.launch.JVM == nil:
		return []effect{refuse(a.answer, "it has no Spark")}
	case a.op == OpConnect && c.connect.address != "":
		return []effect{answer{a.answer, c.connect}}
	}
	command := kernel.Connect()
	if a.op == OpUI {
		command = kernel.UI()
	}
	c.waiting[command.Type] = append(c.waiting[command.Type], a.answer)
	if len(c.waiting[command.Type]) > 1 {
		return nil
	}
	return []effect{tell{command}}
}

func (c *core) onEndpoint(m kernel.Message) (effects []effect) {
	if len(c.waiting[m.Type]) == 0 {
		return nil
	}
	got := reply{refusal: m.Reason, address: m.Address, secret: m.Secret}
	if m.Type == kernel.TypeConnect {
		c.connect = got
	}
	for _, to := range c.waiting[m.Type] {
		effects = append(effects, answer{to, got})
	}
	delete(c.waiting, m.Type)
	return effects
}

// refuseWaiting answers in the place of a kernel that is no more.
func (c *core) refuseWaiting() (effects []effect) {
	for _, question := range slices.Sorted(maps.Keys(c.waiting)) {
		for _, to := range c.waiting[question] {
			effects = append(effects, refuse(to, driverEnded))
		}
	}
	clear(c.waiting)
	return effects
}
