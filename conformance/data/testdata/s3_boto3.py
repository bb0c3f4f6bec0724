"""Objects by boto3, as it comes and as older releases sent them, by environment variables alone."""

import base64
import hashlib
import io
import os
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

bucket = "boto3-objects"
once = Config(signature_version="s3v4", retries={"total_max_attempts": 1})
s3 = boto3.client("s3", config=once)
# What botocore did before it sent checksums: the hash of the body is signed.
older = boto3.client(
    "s3",
    config=once.merge(
        Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"payload_signing_enabled": True},
        )
    ),
)


def refusal(call, **parameters):
    try:
        call(Bucket=bucket, **parameters)
    except ClientError as e:
        return e.response["Error"]["Code"]
    raise AssertionError(f"{parameters} was not refused")


def read(key, **parameters):
    return s3.get_object(Bucket=bucket, Key=key, **parameters)["Body"].read()


s3.create_bucket(Bucket=bucket)

# Keys that are a folder, an object and both. boto3 waits for a go-ahead before each body, an empty one too.
keys = ["a", "a/", "a/b", "a//b", "../up", "ü +%2F", "x" * 1024]
for key in keys:
    s3.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else key.encode())
assert sorted(o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]) == sorted(keys)
for key in keys:
    assert read(key) == (b"" if key.endswith("/") else key.encode()), key
done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in [*keys, "nothing", "x" * 1025]]})
assert sorted(d["Key"] for d in done["Deleted"]) == sorted([*keys, "nothing"]), done
assert [e["Code"] for e in done["Errors"]] == ["KeyTooLongError"], done
assert "Contents" not in s3.list_objects_v2(Bucket=bucket)

# What is said of an object comes back.
said = {"ContentType": "text/csv", "CacheControl": "no-cache", "ContentDisposition": "inline", "ContentLanguage": "de"}
s3.put_object(Bucket=bucket, Key="said", Body=b"1,2", Metadata={"Who": "me"}, Tagging="a=b&c=d", **said)
got = s3.get_object(Bucket=bucket, Key="said")
assert {k: got[k] for k in said} == said and got["Metadata"] == {"who": "me"} and got["TagCount"] == 2, got
assert got["ChecksumCRC32"] and got["ChecksumType"] == "FULL_OBJECT", got
assert s3.get_object(Bucket=bucket, Key="said", ResponseContentType="text/x")["ContentType"] == "text/x"
s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "said"})
got = s3.head_object(Bucket=bucket, Key="copy")
assert got["ContentType"] == "text/csv" and got["Metadata"] == {"who": "me"}, got
itself = {"Key": "copy", "CopySource": {"Bucket": bucket, "Key": "copy"}}
assert refusal(s3.copy_object, **itself) == "InvalidRequest"
s3.copy_object(Bucket=bucket, Metadata={"who": "you"}, MetadataDirective="REPLACE", **itself)
assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"who": "you"} and read("copy") == b"1,2"
assert len(s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"]) == 2
s3.put_object_tagging(Bucket=bucket, Key="copy", Tagging={"TagSet": [{"Key": "e", "Value": "f"}]})
assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "e", "Value": "f"}]
s3.delete_object_tagging(Bucket=bucket, Key="copy")
assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [] and read("copy") == b"1,2"

# Bodies that are not what is said of them are refused, and nothing of them is there.
older.put_object(Bucket=bucket, Key="sum", Body=b"v1", ContentMD5=base64.b64encode(hashlib.md5(b"v1").digest()).decode())
wrong = base64.b64encode(hashlib.md5(b"v2").digest()).decode()
assert refusal(older.put_object, Key="sum", Body=b"v3", ContentMD5=wrong) == "BadDigest"
for algorithm, size in {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}.items():
    wrong = base64.b64encode(b"\0" * size).decode()
    assert refusal(s3.put_object, Key="sum", Body=b"v3", **{f"Checksum{algorithm}": wrong}) == "BadDigest", algorithm
assert read("sum") == b"v1"

# Conditions.
assert refusal(s3.put_object, Key="sum", Body=b"v2", IfNoneMatch="*") == "PreconditionFailed"
assert refusal(s3.put_object, Key="sum", Body=b"v2", IfMatch='"0"') == "PreconditionFailed"
assert refusal(s3.put_object, Key="none", Body=b"v2", IfMatch='"0"') == "NoSuchKey"
assert refusal(s3.delete_object, Key="sum", IfMatch='"0"') == "PreconditionFailed"
etag = s3.head_object(Bucket=bucket, Key="sum")["ETag"]
s3.put_object(Bucket=bucket, Key="sum", Body=b"v2", IfMatch=etag)
assert refusal(s3.copy_object, Key="x", CopySource=f"{bucket}/sum", CopySourceIfMatch=etag) == "PreconditionFailed"

# Encryption.
s3.put_object(Bucket=bucket, Key="secret", Body=b"secret", ServerSideEncryption="AES256")
assert s3.head_object(Bucket=bucket, Key="secret")["ServerSideEncryption"] == "AES256" and read("secret") == b"secret"
assert refusal(s3.put_object, Key="kms", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId="x") == "NotImplemented"

# Files in parts, of which boto3 sends several at once.
content = os.urandom(17 << 20)
s3.upload_fileobj(io.BytesIO(content), bucket, "large", ExtraArgs={"Metadata": {"a": "b"}, "ServerSideEncryption": "AES256"})
whole = io.BytesIO()
s3.download_fileobj(bucket, "large", whole)
assert whole.getvalue() == content
head = s3.head_object(Bucket=bucket, Key="large")
assert head["ETag"].endswith('-3"') and head["Metadata"] == {"a": "b"}, head
assert read("large", PartNumber=2) == content[8 << 20 : 16 << 20]
parts = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=6 << 20)
s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "large copy", Config=parts)
assert read("large copy") == content

# Uploads by hand.
for checksums in [{}, {"ChecksumAlgorithm": "SHA256"}, {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}]:
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, **checksums)["UploadId"]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload["UploadId"]]
    algorithm = {k: v for k, v in checksums.items() if k == "ChecksumAlgorithm"}
    first = s3.upload_part(**upload, PartNumber=1, Body=content[: 5 << 20], **algorithm)
    last = s3.upload_part_copy(**upload, PartNumber=2, CopySource=f"{bucket}/large", CopySourceRange=f"bytes={5 << 20}-{6 << 20}")
    listed = s3.list_parts(**upload)["Parts"]
    assert [(p["PartNumber"], p["Size"]) for p in listed] == [(1, 5 << 20), (2, (1 << 20) + 1)], listed
    chosen = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": last["CopyPartResult"]["ETag"]}]
    complete = {"Key": "parts", "UploadId": upload["UploadId"]}
    assert refusal(s3.complete_multipart_upload, MultipartUpload={"Parts": chosen[::-1]}, **complete) == "InvalidPartOrder"
    made = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": chosen})
    assert ("ChecksumType" in made) == bool(checksums), made
    assert read("parts") == content[: (6 << 20) + 1]
    assert refusal(s3.abort_multipart_upload, **complete) == "NoSuchUpload"

# Presigned, with either version of signatures; boto3's own choice here is 2.
for signer in boto3.client("s3"), boto3.client("s3", config=once):
    url = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "presigned", "ContentType": "text/plain"})
    put = urllib.request.Request(url, b"by a URL", {"Content-Type": "text/plain"}, method="PUT")
    assert urllib.request.urlopen(put).status == 200
    as_html = {"Bucket": bucket, "Key": "presigned", "ResponseContentType": "text/html"}
    url = signer.generate_presigned_url("get_object", as_html)
    with urllib.request.urlopen(url) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"by a URL", "text/html")
    url = signer.generate_presigned_url("list_objects_v2", {"Bucket": bucket, "Prefix": "presigned"})
    assert b"<Key>presigned</Key>" in urllib.request.urlopen(url).read()
    assert signer.delete_object(Bucket=bucket, Key="presigned")

assert refusal(s3.delete_bucket) == "BucketNotEmpty"
boto3.resource("s3").Bucket(bucket).objects.delete()
s3.delete_bucket(Bucket=bucket)
assert refusal(s3.list_objects_v2) == "NoSuchBucket"
