{{/* privet.yaml, from the values. */}}
{{- define "privet.config" -}}
{{- $address := .Values.listen.address -}}
listen: {{ printf "%s:%v" (eq .Values.mode "sidecar" | ternary "127.0.0.1" $address) .Values.listen.port | quote }}
# The node's probes come in by the pod's address.
admin: {{ printf "%s:%v" $address .Values.listen.adminPort | quote }}
{{- with .Values.destination.recipient }}
recipient: {{ . | quote }}
{{- end }}
keyring: /etc/privet/keys/keyring
policy: [/etc/privet/policy/{{ .Values.policy.key }}]
{{- with .Values.threads }}
threads: {{ . }}
{{- end }}
timeout: {{ .Values.timeout }}
drain: {{ .Values.drain }}
destination:
  {{- with .Values.destination }}
  endpoint: {{ .endpoint | quote }}
  {{- with .gzip }}
  gzip: {{ . }}
  {{- end }}
  keepalive: {{ .keepalive }}
  {{- with .headers }}
  headers:
    {{- range . }}
    {{- if .key }}
    - {name: {{ .name | quote }}, prefix: {{ default "" .prefix | quote }}, file: /etc/privet/destination/{{ .key }}}
    {{- else }}
    - {name: {{ .name | quote }}, value: {{ .value | quote }}}
    {{- end }}
    {{- end }}
  {{- end }}
  {{- if hasPrefix "https://" .endpoint }}
  tls:
    {{- with .tls.ca }}
    ca: /etc/privet/tls/{{ . }}
    {{- end }}
    {{- with .tls.certificate }}
    certificate: /etc/privet/tls/{{ . }}
    {{- end }}
    {{- with .tls.key }}
    key: /etc/privet/tls/{{ . }}
    {{- end }}
    {{- with .tls.serverName }}
    server_name: {{ . | quote }}
    {{- end }}
    min_version: {{ .tls.minVersion | quote }}
  {{- end }}
  {{- end }}
limits:
  message_bytes: {{ int64 .Values.limits.messageBytes }}
  decompressed_bytes: {{ int64 .Values.limits.messageBytes }}
  in_flight_bytes: {{ int64 .Values.limits.inFlightBytes }}
  connections: {{ int64 .Values.limits.connections }}
{{- end }}
