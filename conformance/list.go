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
func lists(t *testing.T, c *Client) {
	group := aws.String("lists")
	Must(c.Athena.CreateWorkGroup(c.Ctx, &athena.CreateWorkGroupInput{Name: group, Configuration: &types.WorkGroupConfiguration{
		EngineVersion:       &types.EngineVersion{SelectedEngineVersion: aws.String("Apache Spark version 3.5")},
		ExecutionRole:       aws.String("arn:aws:iam::123456789012:role/hearth"),
		ResultConfiguration: &types.ResultConfiguration{OutputLocation: aws.String("s3://hearth/lists/")},
	}}))(t)
	launch := func() string {
		id := c.Launch(func(request *athena.StartSessionInput) {
			request.WorkGroup = group
			request.EngineConfiguration = &types.EngineConfiguration{}
			request.SessionIdleTimeoutInMinutes = nil
		})
		Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.AwaitSession(id, types.SessionStateTerminated)
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
			page := Must(c.Athena.ListSessions(c.Ctx, list))(t)
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
		session := Must(c.Athena.ListSessions(c.Ctx, &athena.ListSessionsInput{WorkGroup: group, MaxResults: aws.Int32(1)}))(t).Sessions[0]
		Same(t, "State", session.Status.State, types.SessionStateTerminated)
		Same(t, "EffectiveEngineVersion", aws.ToString(session.EngineVersion.EffectiveEngineVersion), "Apache Spark version 3.5")
		Same(t, "SelectedEngineVersion", aws.ToString(session.EngineVersion.SelectedEngineVersion), "Apache Spark version 3.5")
		Same(t, "EndDateTime is there", session.Status.EndDateTime != nil, true)
	})
	t.Run("by state", func(t *testing.T) {
		idle := Must(c.Athena.ListSessions(c.Ctx, &athena.ListSessionsInput{WorkGroup: group, StateFilter: types.SessionStateIdle}))(t)
		Same(t, "idle sessions", len(idle.Sessions), 0)
		ended := Must(c.Athena.ListSessions(c.Ctx, &athena.ListSessionsInput{WorkGroup: group, StateFilter: types.SessionStateTerminated}))(t)
		if len(ended.Sessions) < len(started) {
			t.Errorf("%d sessions are listed as ended, and %d were", len(ended.Sessions), len(started))
		}
	})
	t.Run("a token that no list gave", func(t *testing.T) {
		refusal := Refused(c.Athena.ListSessions(c.Ctx, &athena.ListSessionsInput{WorkGroup: aws.String("primary"), NextToken: aws.String("tok/+=")}))(t)
		Same(t, "Message", refusal.ErrorMessage(), "The nextPageToken is malformed: tok/+=")
	})
	t.Run("a session that ended before it began", func(t *testing.T) {
		id := started[0]
		session := c.In(t).Session(id)
		Same(t, "State", session.Status.State, types.SessionStateTerminated)
		Same(t, "StateChangeReason", aws.ToString(session.Status.StateChangeReason), "Session was terminated per request")

		// Nothing was asked of it: these are the defaults of its engine.
		Same(t, "MaxConcurrentDpus", aws.ToInt32(session.EngineConfiguration.MaxConcurrentDpus), 20)
		Same(t, "CoordinatorDpuSize is there", session.EngineConfiguration.CoordinatorDpuSize != nil, false)
		Same(t, "DefaultExecutorDpuSize is there", session.EngineConfiguration.DefaultExecutorDpuSize != nil, false)
		Same(t, "SessionIdleTimeoutInMinutes", aws.ToInt32(session.SessionConfiguration.SessionIdleTimeoutInMinutes), 20)
		Same(t, "IdleTimeoutSeconds", aws.ToInt64(session.SessionConfiguration.IdleTimeoutSeconds), 20*60)
	})
}

// workgroupsAndEngines checks what a first start has made.
func workgroupsAndEngines(t *testing.T, c *Client) {
	t.Run("GetWorkGroup", func(t *testing.T) {
		group := Must(c.Athena.GetWorkGroup(c.Ctx, &athena.GetWorkGroupInput{WorkGroup: aws.String("primary")}))(t).WorkGroup
		Same(t, "Name", *group.Name, "primary")
		Same(t, "State", group.State, types.WorkGroupStateEnabled)
		Same(t, "EffectiveEngineVersion", *group.Configuration.EngineVersion.EffectiveEngineVersion, "PySpark engine version 3")
		Same(t, "OutputLocation", strings.TrimSuffix(*group.Configuration.ResultConfiguration.OutputLocation, "/"), "s3://hearth")
		Same(t, "ExecutionRole", *group.Configuration.ExecutionRole, "arn:aws:iam::123456789012:role/hearth")
	})
	t.Run("ListWorkGroups", func(t *testing.T) {
		var names []string
		pages := athena.NewListWorkGroupsPaginator(c.Athena, &athena.ListWorkGroupsInput{MaxResults: aws.Int32(1)})
		for pages.HasMorePages() {
			for _, group := range Must(pages.NextPage(c.Ctx))(t).WorkGroups {
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
		for _, version := range Must(c.Athena.ListEngineVersions(c.Ctx, &athena.ListEngineVersionsInput{}))(t).EngineVersions {
			names = append(names, *version.SelectedEngineVersion)
		}
		for _, want := range []string{"PySpark engine version 3", "Apache Spark version 3.5", "Apache Spark version 4.1"} {
			if !slices.Contains(names, want) {
				t.Errorf("engine versions are %v, without %s", names, want)
			}
		}
	})
}
