{{/* Names, labels, the image: what every object says alike. */}}

{{- define "privet.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "privet.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "privet.name" .) .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "privet.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "privet.selector" -}}
app.kubernetes.io/name: {{ include "privet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "privet.labels" -}}
{{ include "privet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "privet.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "privet.policyConfigMap" -}}
{{ default (printf "%s-policy" (include "privet.fullname" .)) .Values.policy.existingConfigMap }}
{{- end }}

{{/* Which pods are agents. */}}
{{- define "privet.agents" -}}
{{ .Values.networkPolicy.agents.podSelector | default (dict "matchLabels" (dict "privet-agent" "true")) | toYaml }}
{{- end }}

{{/* Where agents send. */}}
{{- define "privet.endpoint" -}}
{{- if eq .Values.mode "sidecar" -}}
http://127.0.0.1:{{ .Values.listen.port }}
{{- else -}}
http://{{ include "privet.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.listen.port }}
{{- end }}
{{- end }}

{{/* "true" where an `auto` is on: the cluster knows the kind. */}}
{{- define "privet.wants" -}}
{{- $auto := .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) -}}
{{- if or (eq (toString .enabled) "true") (and (eq (toString .enabled) "auto") $auto) -}}true{{- end -}}
{{- end }}
