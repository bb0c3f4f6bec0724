package sqlite

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
)

// What JSON columns look like is a promise to every database there is: members
// that are renamed would be lost without an error.
func TestSchema_JSON(t *testing.T) {
	store := mustOpen(t, database(t))
	defer closed(t, store)
	engine := hearth.EngineConfiguration{
		CoordinatorDPUSize: 1, MaxConcurrentDPUs: 2, DefaultExecutorDPUSize: 3,
		AdditionalConfigs: map[string]string{"a": "b"},
		SparkProperties:   map[string]string{},
		Classifications:   []hearth.Classification{{Name: "spark-defaults", Properties: map[string]string{"c": "d"}}},
	}
	encryption := &hearth.Encryption{Option: "SSE_KMS", KMSKey: "key"}
	monitoring := &hearth.Monitoring{
		CloudWatch: &hearth.CloudWatchLogging{Group: "g", StreamPrefix: "p", Types: map[string][]string{"SPARK_DRIVER": {"STDOUT"}}},
		Managed:    &hearth.ManagedLogging{Enabled: true, KMSKey: "k"},
		S3:         &hearth.S3Logging{Location: "s3://b/"},
	}
	now := time.Now()
	if err := store.CreateWorkGroup(t.Context(), hearth.WorkGroup{
		Name: "group", CreatedAt: now, Tags: hearth.Tags{"k": "v"}, WorkGroupSettings: hearth.WorkGroupSettings{
			ExecutionRole: "role", OutputLocation: "s3://hearth/", Encryption: encryption,
			EngineConfiguration: &hearth.EngineConfiguration{}, EnforceConfiguration: true,
			RequesterPays: true, MinimumEncryption: true, BytesScannedCutoff: 1, ExpectedBucketOwner: "2", ACL: "3", ContentKey: "4", AdditionalConfiguration: "5",
			ManagedResults: &hearth.ManagedResults{}, IdentityCenter: &hearth.IdentityCenter{}, AccessGrants: &hearth.AccessGrants{}, Monitoring: monitoring,
		},
	}); err != nil {
		t.Fatal(err)
	}
	_, _, err := store.CreateSession(t.Context(), hearth.Session{
		ID: "id", WorkGroup: "group", Tags: hearth.Tags{"k": "v"}, Monitoring: monitoring, StartedAt: now, ModifiedAt: now, EngineConfiguration: engine,
		Configuration: hearth.SessionConfiguration{Encryption: encryption, Ownership: hearth.Ownership{BucketOwner: "2", ACL: "3"}},
		Phases:        []hearth.StartPhase{{Name: "jvm", Took: time.Second}},
	}, hearth.Quotas{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const (
		encryptionText = `{"Option":"SSE_KMS","KMSKey":"key"}`
		monitoringText = `{"CloudWatch":{"Enabled":false,"Group":"g","StreamPrefix":"p","Types":{"SPARK_DRIVER":["STDOUT"]}},` +
			`"Managed":{"Enabled":true,"KMSKey":"k"},"S3":{"Enabled":false,"KMSKey":"","Location":"s3://b/"}}`
	)
	for column, want := range map[string]string{
		"engine_configuration FROM sessions": `{"CoordinatorDPUSize":1,"MaxConcurrentDPUs":2,"DefaultExecutorDPUSize":3,"AdditionalConfigs":{"a":"b"},"SparkProperties":{},` +
			`"Classifications":[{"Name":"spark-defaults","Properties":{"c":"d"}}]}`,
		"encryption FROM sessions": encryptionText,
		"ownership FROM sessions":  `{"BucketOwner":"2","ACL":"3"}`,
		"phases FROM sessions":     `[{"name":"jvm","took":1000000000}]`,
		"configuration FROM work_groups": `{"ExecutionRole":"role","OutputLocation":"s3://hearth/","Encryption":` + encryptionText + `,` +
			`"EngineConfiguration":{"CoordinatorDPUSize":0,"MaxConcurrentDPUs":0,"DefaultExecutorDPUSize":0,"AdditionalConfigs":null,"SparkProperties":null,"Classifications":null},` +
			`"ExpectedBucketOwner":"2","ACL":"3","EnforceConfiguration":true,"PublishMetrics":false,"RequesterPays":true,"MinimumEncryption":true,"BytesScannedCutoff":1,` +
			`"ContentKey":"4","AdditionalConfiguration":"5","ManagedResults":{"Enabled":false,"KMSKey":""},` +
			`"IdentityCenter":{"Enabled":null,"InstanceARN":""},"AccessGrants":{"Enabled":false,"UserLevelPrefix":null,"AuthenticationType":""},` +
			`"Monitoring":` + monitoringText + `}`,
		"tags FROM work_groups":    `{"k":"v"}`,
		"tags FROM sessions":       `{"k":"v"}`,
		"monitoring FROM sessions": monitoringText,
	} {
		t.Run(column, func(t *testing.T) {
			var got string
			if err := store.read.QueryRow("SELECT " + column).Scan(&got); err != nil || got != want {
				t.Errorf("got %s, %v\nwant %s", got, err, want)
			}
		})
	}
}

// A listing costs what its page has, however many rows there are, and what is
// asked for by a key costs one row. The database keeps no statistics, so that
// plans are the same for a few rows and for many.
func TestSchema_ListingsGoByIndex(t *testing.T) {
	store := mustOpen(t, database(t))
	defer closed(t, store)
	const (
		listOfStates = "SCAN json_each VIRTUAL TABLE INDEX 1:" // of a parameter
		sortedLive   = "USE TEMP B-TREE FOR ORDER BY"          // of what the index has found
	)
	plan := func(t *testing.T, query string, args []any, fine ...string) {
		t.Helper()
		rows, err := store.read.Query("EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatal(err)
		}
		err = eachRow(rows, func(r row) error {
			var id, parent, unused int
			var detail string
			err := r.Scan(&id, &parent, &unused, &detail)
			if (strings.HasPrefix(detail, "SCAN") || strings.Contains(detail, "TEMP B-TREE")) && !slices.Contains(fine, detail) {
				t.Errorf("%s: %s", query, detail)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range []string{"", "group"} {
		for _, state := range []hearth.SessionState{"", hearth.SessionIdle} {
			query, args := selectSessions(hearth.SessionFilter{WorkGroup: group, State: state}, math.MaxInt64)
			t.Run("sessions of "+group+" in "+string(state), func(t *testing.T) { plan(t, query, append(args, 10)) })
		}
	}
	query, args := selectSessions(hearth.SessionFilter{NotebookID: "id"}, math.MaxInt64)
	t.Run("sessions of a notebook", func(t *testing.T) { plan(t, query, append(args, 10)) })
	for _, state := range []hearth.CalculationState{"", hearth.CalculationRunning} {
		query, args := selectCalculations(hearth.CalculationFilter{SessionID: "id", State: state}, math.MaxInt64)
		t.Run("calculations in "+string(state), func(t *testing.T) { plan(t, query, append(args, 10)) })
	}
	for _, name := range []string{"", "part"} {
		query, args := selectNotebooks(hearth.NotebookFilter{WorkGroup: "group", Name: name}, math.MaxInt64)
		t.Run("notebooks of a "+name, func(t *testing.T) { plan(t, query, append(args, 10)) })
	}
	t.Run("the session of a notebook", func(t *testing.T) { plan(t, selectNotebookSession, []any{"id"}) })
	t.Run("the live calculation", func(t *testing.T) { plan(t, selectLiveCalculation, []any{"id"}) })
	t.Run("events", func(t *testing.T) { plan(t, selectEvents, []any{"id"}) })
	t.Run("what ended long ago", func(t *testing.T) { plan(t, selectEndedBefore, []any{1, 10}) })
	t.Run("results of ended sessions", func(t *testing.T) { plan(t, selectEndedResults, nil) })
	t.Run("a session", func(t *testing.T) { plan(t, selectSession, []any{"id"}) })
	t.Run("a calculation", func(t *testing.T) { plan(t, selectCalculation, []any{"id"}) })
	t.Run("the session of a token", func(t *testing.T) { plan(t, selectSessionOfToken, []any{"scope", "value"}) })
	t.Run("the calculation of a token", func(t *testing.T) { plan(t, selectCalculationOfToken, []any{"scope", "value"}) })
	t.Run("a token for Spark Connect", func(t *testing.T) { plan(t, selectConnectToken, []any{"digest"}) })
	t.Run("live sessions", func(t *testing.T) { plan(t, selectLiveSessions, []any{liveStates}, listOfStates, sortedLive) })
	t.Run("claims", func(t *testing.T) { plan(t, selectClaims, []any{liveStates}, listOfStates, sortedLive) })
	t.Run("what the removal of a calculation looks for", func(t *testing.T) { plan(t, "SELECT 1 FROM events WHERE calculation_id = ?", []any{"id"}) })
}
