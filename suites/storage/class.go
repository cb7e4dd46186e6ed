// Package storage checks sections 6.1 and 6.2: the StorageClass, and what its volumes really
// do. One volume is written by a pod, read back by another one on another node, and grown in
// use; a second one is shared by two pods at once. It changes no StorageClass and reads no
// volume but its own.
package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// The annotations that make a StorageClass the default one; Kubernetes heeds both
// (k8s.io/kubernetes/pkg/volume/util, IsDefaultAnnotation).
const (
	defaultAnnotation     = "storageclass.kubernetes.io/is-default-class"
	betaDefaultAnnotation = "storageclass.beta.kubernetes.io/is-default-class"
)

var _ = check.Subsection("6.1", func() {
	check.Item("6.1.2", func(ctx context.Context, a answers.StorageClass) {
		check.Evidence("chosen backend", string(a.Backend))
		if a.Backend == answers.CephS3 {
			tryObjectStore(ctx, a)
			return
		}
		class := classOf(ctx, a.Name)
		describe(class)
		check.Evidence("found there", class.Provisioner+backendText(class.Provisioner))
		if a.Backend == answers.OtherStorage {
			return // any provisioner is as answered
		}
		if !belongs(class.Provisioner, a.Backend) {
			check.Fail(fmt.Sprintf("a provisioner of %s (%s)", a.Backend, strings.Join(provisioners[a.Backend], ", ")),
				fmt.Sprintf("StorageClass %s is served by %s%s", class.Name, class.Provisioner, backendText(class.Provisioner)),
				"the StorageClass is of another backend than the chosen one", "correct storageClass.backend, or name a StorageClass of that backend in storageClass.name")
		}
	})

	check.Item("6.1.3", func(ctx context.Context, a answers.StorageClass) {
		classOf(ctx, a.Name) // a class that is not there is 6.1.1's failure, not this one's
		classes, err := allClasses(ctx, check.Cluster().Client)
		check.NoError(err, "list the StorageClasses")
		defaults := defaultNames(classes)
		check.Evidence("default StorageClasses", defaults)
		if f := judgeDefault(a.Name, *a.Default, defaults); f != nil {
			check.NoError(f, "see which StorageClass is the default")
		}
	})

	check.Item("6.1.5", func(ctx context.Context, a answers.StorageClass) {
		class := classOf(ctx, a.Name)
		check.Evidence("provisioner", class.Provisioner)
		if class.Provisioner != a.Provisioner {
			check.Fail("provisioner "+a.Provisioner, fmt.Sprintf("StorageClass %s is served by %s", class.Name, class.Provisioner),
				"the storage driver was exchanged, or the answer is out of date", "correct storageClass.provisioner, or storageClass.name")
		}
	})
})

// classOf returns the StorageClass. It ends the check as undecided where it does not exist:
// item 6.1.1 fails for that, and one defect is to be one failure.
func classOf(ctx context.Context, name string) *storagev1.StorageClass {
	class, err := findClass(ctx, check.Cluster().Client, name)
	check.NoError(finding.SeeItem(err, "6.1.1"), "find StorageClass "+name)
	return class
}

// findClass returns the StorageClass; its error is a failed finding if there is none, which
// names those that there are.
func findClass(ctx context.Context, client kubernetes.Interface, name string) (*storagev1.StorageClass, error) {
	class, err := client.StorageV1().StorageClasses().Get(ctx, name, metav1.GetOptions{})
	if kubeerr.ReasonOf(err) != kubeerr.NotFound {
		return class, err
	}
	found := "there is no StorageClass of that name"
	if classes, err := allClasses(ctx, client); err == nil {
		var names []string
		for _, class := range classes {
			names = append(names, class.Name)
		}
		found += "; there are: " + strings.Join(names, ", ")
	}
	return nil, finding.Failed("StorageClass "+name, found, "it was not created, was renamed, or the answer has a slip",
		"have it created, or correct storageClass.name or storageClass.sharedName").Because(err)
}

// allClasses lists the StorageClasses; clusters have a handful.
func allClasses(ctx context.Context, client kubernetes.Interface) ([]storagev1.StorageClass, error) {
	list, err := client.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func defaultNames(classes []storagev1.StorageClass) []string {
	var names []string
	for _, class := range classes {
		if class.Annotations[defaultAnnotation] == "true" || class.Annotations[betaDefaultAnnotation] == "true" {
			names = append(names, class.Name)
		}
	}
	slices.Sort(names)
	return names
}

// judgeDefault holds the default StorageClasses that there are against the answer, nil if
// they fit.
func judgeDefault(name string, answered bool, defaults []string) *finding.Finding {
	expected := "StorageClass " + name + " is the default one"
	if !answered {
		expected = "StorageClass " + name + " is not the default one"
	}
	switch is := slices.Contains(defaults, name); {
	case len(defaults) > 1:
		return finding.Failed(expected, fmt.Sprintf("%d StorageClasses are default: %s", len(defaults), strings.Join(defaults, ", ")),
			"with two defaults the newest wins, so that a new class silently changes where volumes without a class come from",
			"leave the annotation "+defaultAnnotation+` "true" on one of them only`)
	case answered && len(defaults) == 0:
		return finding.Failed(expected, "no StorageClass is the default", "the annotation is missing: a claim that names no class stays Pending",
			"set the annotation "+defaultAnnotation+` "true" on `+name+", or correct storageClass.default")
	case answered && !is:
		return finding.Failed(expected, "the default is "+defaults[0], "another class has the annotation",
			"move the annotation "+defaultAnnotation+" to "+name+", or correct storageClass.default")
	case !answered && is:
		return finding.Failed(expected, "it is the default", "the class carries the annotation "+defaultAnnotation,
			"correct storageClass.default, or remove the annotation")
	}
	return nil
}
