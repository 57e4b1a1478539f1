{{/* What a schema cannot say. Each message names the value, and what to do. */}}
{{- define "privet.check" -}}
{{- $ns := .Release.Namespace -}}
{{- if not .Values.keyring.existingSecret -}}
{{- fail (printf "\n\nkeyring.existingSecret: name the Secret that holds the keyring; the chart never makes a key. To make one:\n\n  privet keys new --out keyring\n  kubectl -n %s create secret generic privet-keyring --from-file=keyring\n  … --set keyring.existingSecret=privet-keyring\n\nKeep a copy of the file somewhere safe.\n" $ns) -}}
{{- end -}}
{{- if not .Values.destination.endpoint -}}
{{- fail "\n\ndestination.endpoint: say where filtered telemetry goes, such as https://otlp.vendor.example:4317\n" -}}
{{- end -}}
{{- range $index, $header := .Values.destination.headers -}}
{{- if and $header.key (not $.Values.destination.existingSecret) -}}
{{- fail (printf "\n\ndestination.existingSecret: destination.headers[%d] takes its value from the key %q of a Secret; name that Secret:\n\n  kubectl -n %s create secret generic privet-destination --from-file=%s\n" $index $header.key $ns $header.key) -}}
{{- end -}}
{{- end -}}
{{- $tls := .Values.destination.tls -}}
{{- if and (or $tls.ca $tls.certificate $tls.key) (not $tls.existingSecret) -}}
{{- fail "\n\ndestination.tls.existingSecret: destination.tls.ca, certificate and key are keys of a Secret; name it\n" -}}
{{- end -}}
{{- if ne (empty $tls.certificate) (empty $tls.key) -}}
{{- fail "\n\ndestination.tls: a certificate needs its key and a key its certificate\n" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (ne .Values.mode "gateway") -}}
{{- fail (printf "\n\nautoscaling.enabled: only a gateway is scaled; mode is %s\n" .Values.mode) -}}
{{- end -}}
{{- if and .Values.admissionPolicy.enabled (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "\n\nadmissionPolicy.enabled: needs Kubernetes 1.30; this is %s\n" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end }}
