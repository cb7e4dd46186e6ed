package main

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"regexp"
	"time"
)

// newRunID returns a name that Kubernetes takes as a label and as part of a name. In a GitLab
// job it begins with the job's number, so that the job's after_script finds what was left
// by a run that was killed.
func newRunID() string {
	var random [3]byte
	rand.Read(random[:])
	return jobPrefix() + time.Now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(random[:])
}

var jobNumber = regexp.MustCompile(`^[0-9]{1,12}$`)

// jobPrefix is what the IDs of this GitLab job's runs begin with, "" outside of one.
func jobPrefix() string {
	if job := os.Getenv("CI_JOB_ID"); jobNumber.MatchString(job) {
		return "job" + job + "-"
	}
	return ""
}
