"""The WebDAV share: a folder of files, and the jobs as read-only files. wsgidav under cheroot, in threads."""
