package athena_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hearth"
)

// client is AWS's own, talking to a fake over HTTP.
func client(t *testing.T, f *fake) *sdk.Client {
	t.Helper()
	server := httptest.NewServer(handler(f, new(bytes.Buffer)))
	t.Cleanup(server.Close)
	return sdk.New(sdk.Options{
		BaseEndpoint:     aws.String(server.URL),
		Region:           "us-east-1",
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
}

// same compares what the SDK read with what it should have read.
func same[T any](t *testing.T, got T, err error, want T) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	exported := cmp.FilterPath(func(p cmp.Path) bool {
		field, ok := p.Last().(cmp.StructField)
		return ok && (field.Name() == "ResultMetadata" || field.Name() == "noSmithyDocumentSerde")
	}, cmp.Ignore())
	if diff := cmp.Diff(want, got, exported, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("the SDK read something else (-want +got):\n%s", diff)
	}
}

func TestSDK_Sessions(t *testing.T) {
	ctx := context.Background()
	f := full()
	c := client(t, f)
	id := aws.String(sessionID)
	status := &types.SessionStatus{
		StartDateTime:        aws.Time(began),
		LastModifiedDateTime: aws.Time(began.Add(2 * time.Second)),
		EndDateTime:          aws.Time(began.Add(2 * time.Second)),
		IdleSinceDateTime:    aws.Time(began.Add(time.Second)),
		State:                types.SessionStateFailed,
		StateChangeReason:    aws.String("The driver was killed."),
	}
	pyspark3 := aws.String("PySpark engine version 3")

	t.Run("StartSession", func(t *testing.T) {
		got, err := c.StartSession(ctx, &sdk.StartSessionInput{
			WorkGroup:           aws.String("primary"),
			EngineConfiguration: &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(4), SparkProperties: map[string]string{"spark.a": "b"}},
		})
		same(t, got, err, &sdk.StartSessionOutput{SessionId: id, State: types.SessionStateFailed})
		if f.started.EngineConfiguration.MaxConcurrentDPUs != 4 || f.started.EngineConfiguration.SparkProperties["spark.a"] != "b" {
			t.Errorf("started %+v", f.started)
		}
	})
	t.Run("GetSession", func(t *testing.T) {
		got, err := c.GetSession(ctx, &sdk.GetSessionInput{SessionId: id})
		same(t, got, err, &sdk.GetSessionOutput{
			SessionId:     id,
			Description:   aws.String("a <session>"),
			WorkGroup:     aws.String("primary"),
			EngineVersion: pyspark3,
			EngineConfiguration: &types.EngineConfiguration{
				CoordinatorDpuSize:     aws.Int32(1),
				MaxConcurrentDpus:      aws.Int32(20),
				DefaultExecutorDpuSize: aws.Int32(1),
				AdditionalConfigs:      map[string]string{"NotebookId": "n"},
				SparkProperties:        map[string]string{},
				Classifications:        []types.Classification{{Name: aws.String("spark-defaults"), Properties: map[string]string{"spark.a": "b"}}},
			},
			NotebookVersion: aws.String("Athena notebook version 1"),
			SessionConfiguration: &types.SessionConfiguration{
				ExecutionRole:               aws.String("arn:aws:iam::123456789012:role/spark"),
				WorkingDirectory:            aws.String("s3://results/" + sessionID),
				IdleTimeoutSeconds:          aws.Int64(1200),
				SessionIdleTimeoutInMinutes: aws.Int32(20),
				EncryptionConfiguration:     &types.EncryptionConfiguration{EncryptionOption: types.EncryptionOptionSseKms, KmsKey: aws.String("alias/k")},
			},
			Status:     status,
			Statistics: &types.SessionStatistics{DpuExecutionInMillis: aws.Int64(4321)},
		})
	})
	t.Run("GetSessionStatus", func(t *testing.T) {
		got, err := c.GetSessionStatus(ctx, &sdk.GetSessionStatusInput{SessionId: id})
		same(t, got, err, &sdk.GetSessionStatusOutput{SessionId: id, Status: status})
	})
	t.Run("ListSessions", func(t *testing.T) {
		got, err := c.ListSessions(ctx, &sdk.ListSessionsInput{WorkGroup: aws.String("primary"), MaxResults: aws.Int32(1)})
		same(t, got, err, &sdk.ListSessionsOutput{NextToken: aws.String("next"), Sessions: []types.SessionSummary{{
			SessionId:       id,
			Description:     aws.String("a <session>"),
			EngineVersion:   &types.EngineVersion{SelectedEngineVersion: pyspark3, EffectiveEngineVersion: pyspark3},
			NotebookVersion: aws.String("Athena notebook version 1"),
			Status:          status,
		}}})
	})
	t.Run("TerminateSession", func(t *testing.T) {
		got, err := c.TerminateSession(ctx, &sdk.TerminateSessionInput{SessionId: id})
		same(t, got, err, &sdk.TerminateSessionOutput{State: types.SessionStateTerminating})
	})
	t.Run("ListExecutors", func(t *testing.T) {
		executor := f.session.Executors()[0]
		got, err := c.ListExecutors(ctx, &sdk.ListExecutorsInput{SessionId: id})
		same(t, got, err, &sdk.ListExecutorsOutput{SessionId: id, ExecutorsSummary: []types.ExecutorsSummary{{
			ExecutorId:          aws.String(executor.ID),
			ExecutorType:        types.ExecutorTypeCoordinator,
			ExecutorState:       types.ExecutorStateFailed,
			ExecutorSize:        aws.Int64(int64(executor.DPUs)),
			StartDateTime:       aws.Int64(began.UnixMilli()),
			TerminationDateTime: aws.Int64(began.Add(2 * time.Second).UnixMilli()),
		}}})
	})
}

func TestSDK_Calculations(t *testing.T) {
	ctx := context.Background()
	f := full()
	c := client(t, f)
	id := aws.String(calculationID)
	directory := "s3://results/" + sessionID + "/" + calculationID
	status := &types.CalculationStatus{
		SubmissionDateTime: aws.Time(began),
		CompletionDateTime: aws.Time(began.Add(time.Second)),
		State:              types.CalculationExecutionStateFailed,
		StateChangeReason:  aws.String("NameError: name 'x' is not defined"),
	}
	statistics := &types.CalculationStatistics{DpuExecutionInMillis: aws.Int64(1000), Progress: aws.String("100%")}

	t.Run("StartCalculationExecution", func(t *testing.T) {
		code := "print('<stdin>')\n" + strings.Repeat("😀", 67000)
		got, err := c.StartCalculationExecution(ctx, &sdk.StartCalculationExecutionInput{SessionId: aws.String(sessionID), CodeBlock: &code})
		same(t, got, err, &sdk.StartCalculationExecutionOutput{CalculationExecutionId: id, State: types.CalculationExecutionStateFailed})
		if f.submitted.Code != code {
			t.Errorf("submitted %d bytes of code, want %d", len(f.submitted.Code), len(code))
		}
	})
	t.Run("GetCalculationExecution", func(t *testing.T) {
		got, err := c.GetCalculationExecution(ctx, &sdk.GetCalculationExecutionInput{CalculationExecutionId: id})
		same(t, got, err, &sdk.GetCalculationExecutionOutput{
			CalculationExecutionId: id,
			SessionId:              aws.String(sessionID),
			Description:            aws.String("a calculation"),
			WorkingDirectory:       &directory,
			Status:                 status,
			Statistics:             statistics,
			Result: &types.CalculationResult{
				StdOutS3Uri:   aws.String(directory + "/stdout"),
				StdErrorS3Uri: aws.String(directory + "/stderr"),
				ResultS3Uri:   aws.String(directory + "/results/"),
				ResultType:    aws.String("application/vnd.aws.athena.v1+json"),
			},
		})
	})
	t.Run("GetCalculationExecutionStatus", func(t *testing.T) {
		got, err := c.GetCalculationExecutionStatus(ctx, &sdk.GetCalculationExecutionStatusInput{CalculationExecutionId: id})
		same(t, got, err, &sdk.GetCalculationExecutionStatusOutput{Status: status, Statistics: statistics})
	})
	t.Run("GetCalculationExecutionCode", func(t *testing.T) {
		got, err := c.GetCalculationExecutionCode(ctx, &sdk.GetCalculationExecutionCodeInput{CalculationExecutionId: id})
		same(t, got, err, &sdk.GetCalculationExecutionCodeOutput{CodeBlock: aws.String("print('<é>')")})
	})
	t.Run("ListCalculationExecutions", func(t *testing.T) {
		got, err := c.ListCalculationExecutions(ctx, &sdk.ListCalculationExecutionsInput{SessionId: aws.String(sessionID)})
		same(t, got, err, &sdk.ListCalculationExecutionsOutput{
			NextToken:    aws.String("next"),
			Calculations: []types.CalculationSummary{{CalculationExecutionId: id, Description: aws.String("a calculation"), Status: status}},
		})
	})
	t.Run("StopCalculationExecution", func(t *testing.T) {
		got, err := c.StopCalculationExecution(ctx, &sdk.StopCalculationExecutionInput{CalculationExecutionId: id})
		same(t, got, err, &sdk.StopCalculationExecutionOutput{State: types.CalculationExecutionStateCanceling})
	})
}

func TestSDK_WorkGroups(t *testing.T) {
	ctx := context.Background()
	c := client(t, full())
	spark35 := &types.EngineVersion{SelectedEngineVersion: aws.String("Apache Spark version 3.5"), EffectiveEngineVersion: aws.String("Apache Spark version 3.5")}

	t.Run("GetWorkGroup", func(t *testing.T) {
		got, err := c.GetWorkGroup(ctx, &sdk.GetWorkGroupInput{WorkGroup: aws.String("primary")})
		same(t, got, err, &sdk.GetWorkGroupOutput{WorkGroup: &types.WorkGroup{
			Name:         aws.String("primary"),
			State:        types.WorkGroupStateEnabled,
			Description:  aws.String("where things run"),
			CreationTime: aws.Time(began),
			Configuration: &types.WorkGroupConfiguration{
				ResultConfiguration: &types.ResultConfiguration{
					OutputLocation:          aws.String("s3://results/"),
					EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionOption: types.EncryptionOptionSseS3},
				},
				EnforceWorkGroupConfiguration:        aws.Bool(true),
				PublishCloudWatchMetricsEnabled:      aws.Bool(false),
				RequesterPaysEnabled:                 aws.Bool(false),
				EnableMinimumEncryptionConfiguration: aws.Bool(false),
				EngineVersion:                        spark35,
				ExecutionRole:                        aws.String("arn:aws:iam::123456789012:role/spark"),
				EngineConfiguration:                  &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(8)},
			},
		}})
	})
	t.Run("ListWorkGroups", func(t *testing.T) {
		got, err := c.ListWorkGroups(ctx, &sdk.ListWorkGroupsInput{})
		same(t, got, err, &sdk.ListWorkGroupsOutput{NextToken: aws.String("next"), WorkGroups: []types.WorkGroupSummary{{
			Name: aws.String("primary"), State: types.WorkGroupStateEnabled, Description: aws.String("where things run"), CreationTime: aws.Time(began), EngineVersion: spark35,
		}}})
	})
	t.Run("ListEngineVersions by the SDK's paginator", func(t *testing.T) {
		pages := sdk.NewListEngineVersionsPaginator(c, &sdk.ListEngineVersionsInput{MaxResults: aws.Int32(1)})
		var names []string
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, version := range page.EngineVersions {
				names = append(names, *version.SelectedEngineVersion)
			}
		}
		if want := []string{"PySpark engine version 3", "Apache Spark version 3.5", "Apache Spark version 4.1"}; !slices.Equal(names, want) {
			t.Errorf("got %v, want %v", names, want)
		}
	})
}

func TestSDK_Errors(t *testing.T) {
	ctx := context.Background()
	f := full()
	c := client(t, f)
	get := func() error {
		_, err := c.GetSession(ctx, &sdk.GetSessionInput{SessionId: aws.String(sessionID)})
		return err
	}
	t.Run("InvalidRequestException", func(t *testing.T) {
		f.err = hearth.SessionNotFound("x")
		var typed *types.InvalidRequestException
		if err := get(); !errors.As(err, &typed) || typed.ErrorMessage() != "Session x is not found." || aws.ToString(typed.AthenaErrorCode) != "INVALID_INPUT" {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("InternalServerException", func(t *testing.T) {
		f.err = errors.New("disk on fire")
		var typed *types.InternalServerException
		if err := get(); !errors.As(err, &typed) || strings.Contains(typed.ErrorMessage(), "fire") {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("TooManyRequestsException", func(t *testing.T) {
		f.err = hearth.Errorf(hearth.KindTooMany, "Maximum allowed sessions reached")
		_, err := c.StartSession(ctx, &sdk.StartSessionInput{WorkGroup: aws.String("w"), EngineConfiguration: &types.EngineConfiguration{}})
		var typed *types.TooManyRequestsException
		if !errors.As(err, &typed) || typed.ErrorMessage() != "Maximum allowed sessions reached" {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("an operation that is not served", func(t *testing.T) {
		_, err := c.ListDataCatalogs(ctx, &sdk.ListDataCatalogsInput{})
		var generic smithy.APIError
		if !errors.As(err, &generic) || generic.ErrorCode() != "InvalidRequestException" || generic.ErrorMessage() != "ListDataCatalogs is not served by Hearth." {
			t.Errorf("got %#v", err)
		}
	})
}
