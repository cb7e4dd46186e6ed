package suites

import (
	"testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/testdata"
)

func TestEveryItemHasExactlyOneCheck(t *testing.T) {
	catalogue, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	file, err := answers.Parse("answers.example.yaml", testdata.AnswersExample)
	if err != nil {
		t.Fatal(err)
	}
	for _, mistake := range check.Mistakes(catalogue.With(check.CustomSubsection, file.CustomItems()), file) {
		t.Error(mistake)
	}
}
