package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// lists pages through sessions while more are started. It has a workgroup for
// itself; its sessions end before Spark is up.
func lists(t *testing.T, c *client) {
	group := aws.String("lists")
	must(c.athena.CreateWorkGroup(c.ctx, &athena.CreateWorkGroupInput{Name: group, Configuration: &types.WorkGroupConfiguration{
		EngineVersion:       &types.EngineVersion{SelectedEngineVersion: aws.String("Apache Spark version 3.5")},
		ExecutionRole:       aws.String("arn:aws:iam::123456789012:role/hearth"),
		ResultConfiguration: &types.ResultConfiguration{OutputLocation: aws.String("s3://hearth/lists/")},
	}}))(t)
	launch := func() string {
		id := c.launch(func(request *athena.StartSessionInput) {
			request.WorkGroup = group
			request.EngineConfiguration = &types.EngineConfiguration{}
			request.SessionIdleTimeoutInMinutes = nil
		})
		must(c.athena.TerminateSession(c.ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.awaitSession(id, types.SessionStateTerminated)
		return id
	}
	var started []string // newest first, as they are listed
	for range 4 {
		started = slices.Insert(started, 0, launch())
	}

	t.Run("a page is not shifted by new sessions", func(t *testing.T) {
		var listed []string
		list := &athena.ListSessionsInput{WorkGroup: group, MaxResults: aws.Int32(2)}
		for {
			page := must(c.athena.ListSessions(c.ctx, list))(t)
			for _, session := range page.Sessions {
				listed = append(listed, *session.SessionId)
			}
			if page.NextToken == nil {
				break
			}
			list.NextToken = page.NextToken
			launch()
		}
		if !slices.Equal(listed, started) {
			t.Errorf("listed %v, want %v", listed, started)
		}
	})
	t.Run("members", func(t *testing.T) {
		session := must(c.athena.ListSessions(c.ctx, &athena.ListSessionsInput{WorkGroup: group, MaxResults: aws.Int32(1)}))(t).Sessions[0]
		same(t, "State", session.Status.State, types.SessionStateTerminated)
		same(t, "EffectiveEngineVersion", aws.ToString(session.EngineVersion.EffectiveEngineVersion), "Apache Spark version 3.5")
		same(t, "SelectedEngineVersion", aws.ToString(session.EngineVersion.SelectedEngineVersion), "Apache Spark version 3.5")
		same(t, "EndDateTime is there", session.Status.EndDateTime != nil, true)
	})
	t.Run("by state", func(t *testing.T) {
		idle := must(c.athena.ListSessions(c.ctx, &athena.ListSessionsInput{WorkGroup: group, StateFilter: types.SessionStateIdle}))(t)
		same(t, "idle sessions", len(idle.Sessions), 0)
		ended := must(c.athena.ListSessions(c.ctx, &athena.ListSessionsInput{WorkGroup: group, StateFilter: types.SessionStateTerminated}))(t)
		if len(ended.Sessions) < len(started) {
			t.Errorf("%d sessions are listed as ended, and %d were", len(ended.Sessions), len(started))
		}
	})
	t.Run("a token that no list gave", func(t *testing.T) {
		refusal := refused(c.athena.ListSessions(c.ctx, &athena.ListSessionsInput{WorkGroup: aws.String("primary"), NextToken: aws.String("tok/+=")}))(t)
		same(t, "Message", refusal.ErrorMessage(), "The nextPageToken is malformed: tok/+=")
	})
	t.Run("a session that ended before it began", func(t *testing.T) {
		id := started[0]
		session := c.in(t).session(id)
		same(t, "State", session.Status.State, types.SessionStateTerminated)
		same(t, "StateChangeReason", aws.ToString(session.Status.StateChangeReason), "Session was terminated per request")

		// Nothing was asked of it: these are the defaults of its engine.
		same(t, "MaxConcurrentDpus", aws.ToInt32(session.EngineConfiguration.MaxConcurrentDpus), 20)
		same(t, "CoordinatorDpuSize is there", session.EngineConfiguration.CoordinatorDpuSize != nil, false)
		same(t, "DefaultExecutorDpuSize is there", session.EngineConfiguration.DefaultExecutorDpuSize != nil, false)
		same(t, "SessionIdleTimeoutInMinutes", aws.ToInt32(session.SessionConfiguration.SessionIdleTimeoutInMinutes), 20)
		same(t, "IdleTimeoutSeconds", aws.ToInt64(session.SessionConfiguration.IdleTimeoutSeconds), 20*60)
	})
}

// workgroupsAndEngines checks what a first start has made.
func workgroupsAndEngines(t *testing.T, c *client) {
	t.Run("GetWorkGroup", func(t *testing.T) {
		group := must(c.athena.GetWorkGroup(c.ctx, &athena.GetWorkGroupInput{WorkGroup: aws.String("primary")}))(t).WorkGroup
		same(t, "Name", *group.Name, "primary")
		same(t, "State", group.State, types.WorkGroupStateEnabled)
		same(t, "EffectiveEngineVersion", *group.Configuration.EngineVersion.EffectiveEngineVersion, "PySpark engine version 3")
		same(t, "OutputLocation", strings.TrimSuffix(*group.Configuration.ResultConfiguration.OutputLocation, "/"), "s3://hearth")
		same(t, "ExecutionRole", *group.Configuration.ExecutionRole, "arn:aws:iam::123456789012:role/hearth")
	})
	t.Run("ListWorkGroups", func(t *testing.T) {
		var names []string
		pages := athena.NewListWorkGroupsPaginator(c.athena, &athena.ListWorkGroupsInput{MaxResults: aws.Int32(1)})
		for pages.HasMorePages() {
			for _, group := range must(pages.NextPage(c.ctx))(t).WorkGroups {
				names = append(names, *group.Name)
			}
		}
		// Other stories make some of their own meanwhile.
		if !slices.IsSorted(names) || !slices.Contains(names, "primary") || !slices.Contains(names, "spark-3.5") {
			t.Errorf("workgroups are %v", names)
		}
	})
	t.Run("ListEngineVersions", func(t *testing.T) {
		var names []string
		for _, version := range must(c.athena.ListEngineVersions(c.ctx, &athena.ListEngineVersionsInput{}))(t).EngineVersions {
			names = append(names, *version.SelectedEngineVersion)
		}
		for _, want := range []string{"PySpark engine version 3", "Apache Spark version 3.5"} {
			if !slices.Contains(names, want) {
				t.Errorf("engine versions are %v, without %s", names, want)
			}
		}
	})
}
