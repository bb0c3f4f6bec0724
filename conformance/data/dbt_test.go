package data

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// dbt runs testdata/dbt_models.py, and the project in examples/dbt as
// docs/dbt.md says.
func dbt(t *testing.T, c *conformance.Client) {
	tools := testenv.DBT(t)
	t.Run("models", func(t *testing.T) {
		c := c.In(t)
		c.Script(exec.CommandContext(c.Ctx, tools.Python, filepath.Join("testdata", "dbt_models.py")))
	})
	t.Run("project", func(t *testing.T) { dbtProject(t, c.In(t), filepath.Join(tools.Bin, "dbt")) })
}

// dbtProject has moto in the place of Glue and STS.
func dbtProject(t *testing.T, c *conformance.Client, dbt string) {
	project := t.TempDir()
	if err := os.CopyFS(project, os.DirFS("../../examples/dbt")); err != nil {
		t.Fatal(err)
	}
	elsewhere := testenv.ServeMoto(t)
	environment := append(c.ClientEnv(), "AWS_ENDPOINT_URL_GLUE="+elsewhere, "AWS_ENDPOINT_URL_STS="+elsewhere, "DBT_SEND_ANONYMOUS_USAGE_STATS=false")
	// run gives what `dbt run` prints, which are its errors too.
	run := func(t *testing.T, wanted int) string {
		t.Helper()
		defer endSessionsOfDBT(c)
		command := exec.CommandContext(t.Context(), dbt, "--no-use-colors", "run")
		command.Dir, command.Env = project, environment
		stdout, stderr, status := conformance.Outcome(t, command)
		if status != wanted {
			t.Fatalf("dbt run: exit status %d\n%s%s", status, stdout, stderr)
		}
		return stdout
	}
	wantIn := func(t *testing.T, said string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(said, part) {
				t.Errorf("dbt run is without %q:\n%s", part, said)
			}
		}
	}
	raw := func(name, rows string) {
		t.Helper()
		conformance.Must(c.S3.PutObject(c.Ctx, &s3.PutObjectInput{Bucket: aws.String("rides"), Key: aws.String("raw/" + name), Body: strings.NewReader(rows)}))(t)
	}
	conformance.Must(c.S3.CreateBucket(c.Ctx, &s3.CreateBucketInput{Bucket: aws.String("rides")}))(t)
	trips := string(conformance.Must(os.ReadFile("../../examples/data/trips.csv"))(t))
	raw("trips.csv", trips)
	session := c.StartSession()
	c.Run(session, `spark.sql("create database rides")`)

	t.Run("has to find its database in Glue", func(t *testing.T) {
		wantIn(t, run(t, 2), "StartQueryExecution is not served by Hearth")
	})
	create := c.Shell("aws glue create-database --database-input Name=rides")
	create.Env = environment
	if _, stderr, status := conformance.Outcome(t, create); status != 0 {
		t.Fatal(stderr)
	}
	t.Run("makes tables that other sessions read", func(t *testing.T) {
		wantIn(t, run(t, 0), "OK created python table model rides.trips", "OK created python append model rides.days", "PASS=2 ")
		conformance.Same(t, "the tables", c.In(t).Run(session, `
print([row.tableName for row in spark.sql("show tables in rides").collect()])
print(spark.table("rides.trips").count(), spark.table("rides.days").count())
`), "['days', 'trips']\n720 7\n")
	})
	t.Run("makes one table anew, adds to the other, and shows the Python error of a model", func(t *testing.T) {
		header, rest, _ := strings.Cut(trips, "\n")
		row, _, _ := strings.Cut(rest, "\n")
		raw("later.csv", header+"\n"+strings.ReplaceAll(row, "2026-05-11", "2026-05-20")+"\n")
		if err := os.WriteFile(filepath.Join(project, "models", "wrong.py"), []byte("def model(dbt, session):\n    return 1 / 0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantIn(t, run(t, 1), "PASS=2 WARN=0 ERROR=1 ", "ZeroDivisionError: division by zero")
		// What a session has read of a table before, it remembers.
		conformance.Same(t, "the tables", c.In(t).Run(session, `
for table in "rides.trips", "rides.days":
    spark.catalog.refreshTable(table)
    print(spark.table(table).count(), spark.sql(f"select count(distinct day) from {table}").first()[0])
`), "721 8\n8 8\n")
	})
	t.Run("has its data where other clients read it", func(t *testing.T) {
		conformance.Same(t, "stdout", c.In(t).Python("dbt_tables.py"), "721 8 8\n")
	})
}

// endSessionsOfDBT ends what dbt leaves to its idle timeout.
func endSessionsOfDBT(c *conformance.Client) {
	c.T.Helper()
	pages := athena.NewListSessionsPaginator(c.Athena, &athena.ListSessionsInput{WorkGroup: aws.String("primary"), StateFilter: types.SessionStateIdle})
	for pages.HasMorePages() {
		for _, session := range conformance.Must(pages.NextPage(context.Background()))(c.T).Sessions {
			if strings.HasPrefix(aws.ToString(session.Description), "dbt: ") {
				conformance.Must(c.Athena.TerminateSession(context.Background(), &athena.TerminateSessionInput{SessionId: session.SessionId}))(c.T)
			}
		}
	}
}
