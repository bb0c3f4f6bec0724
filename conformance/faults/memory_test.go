package faults

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth/conformance"
)

// memory lets sessions start as long as there is enough of it for what they may
// use, and holds them to that.
func memory(t *testing.T, c *conformance.Client) {
	c = c.Serve(fmt.Sprintf(`
		light_drivers = true
		driver_memory = "512m"
		driver_overhead = "512m"
		max_driver_memory = "1g"
		limit_memory = true

		[quota]
		memory = "2g"

		[workgroups.%q]
		queue = 1
	`, c.WorkGroup))
	asking := func(heap string) func(*athena.StartSessionInput) {
		return c.With(map[string]string{"spark.driver.memory": heap})
	}

	first := c.StartSession()
	t.Run("a session that asks for too much is refused with the figures", func(t *testing.T) {
		request := &athena.StartSessionInput{WorkGroup: &c.WorkGroup, EngineConfiguration: &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(2)}}
		asking("64g")(request)
		refusal := conformance.Refused(c.Athena.StartSession(t.Context(), request))(t)
		conformance.Same(t, "the refusal", refusal.ErrorMessage(), "The session asks for 64 GiB of memory with spark.driver.memory, and 1 GiB is the most that it may have here. Ask for less.")
	})
	t.Run("a session that there is not enough for waits", func(t *testing.T) {
		c := c.In(t)
		second := c.Launch(asking("1g"))
		conformance.Same(t, "StateChangeReason", aws.ToString(c.Session(second).Status.StateChangeReason),
			"Waiting: position 1 of 1 in the queue of WorkGroup "+c.WorkGroup+", because the account has 1 GiB of 2 GiB of memory in use and the next session needs 1536 MiB.")
	})
	t.Run("a session that there is enough for starts, also after a restart", func(t *testing.T) {
		c := c.In(t)
		c.Kill()
		c.Start()
		c.StartSession()
	})
	t.Run("a calculation that needs too much fails, and its session goes on", func(t *testing.T) {
		c := c.In(t)
		status := c.Ended(c.Begin(first, "kept = bytearray(2 << 30)")).Status
		conformance.Same(t, "State", status.State, types.CalculationExecutionStateFailed)
		conformance.Same(t, "StateChangeReason", aws.ToString(status.StateChangeReason), "MemoryError")
		conformance.Same(t, "stdout", c.Run(first, "print('here')"), "here\n")
	})
}
